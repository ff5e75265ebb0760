B
upstream_yJÂê¸?ša©¿üĞ¿ÁH?ÑÈ¸¿‘B˜?