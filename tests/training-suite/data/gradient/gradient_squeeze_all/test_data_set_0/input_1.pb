B
upstream_yJ±¼H?Ô¿8Œ? Ÿ²¿JÜ´?˜¿