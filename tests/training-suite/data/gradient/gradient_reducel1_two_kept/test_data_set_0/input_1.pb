B
upstream_yJÛ°¿Nµz?Ž>¿