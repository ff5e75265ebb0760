B
upstream_yJÌÃG?Ü:˜¿Ïü¿cÈ?