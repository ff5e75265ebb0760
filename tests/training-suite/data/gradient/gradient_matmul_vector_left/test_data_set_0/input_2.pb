B
upstream_yJi”?§‘¿