B
upstream_yJÛ»¿