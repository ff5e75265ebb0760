B
upstream_yJ$p4¿)>ª?}L-?Ð[¿’ÛR¿ÖÝ?¶?þi¼¿OST?