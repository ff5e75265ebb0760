B
upstream_yJ>N¿W?]?