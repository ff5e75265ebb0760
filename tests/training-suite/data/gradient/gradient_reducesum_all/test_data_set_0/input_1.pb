B
upstream_yJñK£?