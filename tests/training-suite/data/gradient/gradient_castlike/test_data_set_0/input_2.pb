B
upstream_yJj^B¿vá–¿á?Hk?ÇL¿”£¿