B
upstream_yJÜ†¿