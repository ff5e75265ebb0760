B
upstream_yJ9O¿‰ñ?