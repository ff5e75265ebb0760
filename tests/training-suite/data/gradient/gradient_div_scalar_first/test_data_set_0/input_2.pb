B
upstream_yJc¤[?/Œ¿Î4y¿—Ò#?~$°¿y3?