B
upstream_aJæH¡?}Æ›¿