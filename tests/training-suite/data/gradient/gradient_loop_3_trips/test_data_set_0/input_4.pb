B
upstream_yJ5"‚¿Ú>²¿a¯¿ ä‚¿QQ?–‘¥?