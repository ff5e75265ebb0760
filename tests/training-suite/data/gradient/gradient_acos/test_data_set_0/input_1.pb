B
upstream_yJ “m¿CøW?î†¿1ö°¿t¿"¿9Ì}?Ïƒ?hl?