B
upstream_yJ‹?©¿