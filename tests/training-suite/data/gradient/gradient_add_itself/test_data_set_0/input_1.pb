B
upstream_yJê‡K¿»&:¿ÖÝƒ?ËE¿Z=…?¿ç®?