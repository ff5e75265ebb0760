B
upstream_yJ§§?‡áY¿³¿5v¿fœ­?a'Œ?