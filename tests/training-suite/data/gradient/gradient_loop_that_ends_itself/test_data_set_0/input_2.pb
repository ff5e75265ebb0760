B
upstream_yJ_ª¿Ws¯¿