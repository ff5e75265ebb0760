B
upstream_yJº	¿