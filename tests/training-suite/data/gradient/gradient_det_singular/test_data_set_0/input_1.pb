B
upstream_yJ¤ƒS¿