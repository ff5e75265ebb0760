B
upstream_yJ]5ˆ?XY—¿ÄM¿?™›£¿Fú¼?Ì~3¿