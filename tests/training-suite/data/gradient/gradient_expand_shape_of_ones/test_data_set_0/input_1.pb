B
upstream_yJ&Œ?j»?Zó¿ûwf?\u9¿Tlµ?