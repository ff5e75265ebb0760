B
upstream_yJ_j?