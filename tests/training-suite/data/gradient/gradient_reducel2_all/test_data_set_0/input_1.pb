B
upstream_yJlj£¿