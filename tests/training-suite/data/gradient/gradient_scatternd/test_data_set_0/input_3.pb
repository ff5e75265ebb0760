B
upstream_yJS¸y?ü¥¿¢îc?¾¿{í ?˜g¿