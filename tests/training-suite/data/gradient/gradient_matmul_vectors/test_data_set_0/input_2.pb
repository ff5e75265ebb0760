B
upstream_yJ‰J‘¿