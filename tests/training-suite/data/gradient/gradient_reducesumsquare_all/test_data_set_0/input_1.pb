B
upstream_yJβή?