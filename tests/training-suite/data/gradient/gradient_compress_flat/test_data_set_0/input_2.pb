B
upstream_yJlÎƒ?æ·¿„Ç¿