B
upstream_yJ_ÀX¿