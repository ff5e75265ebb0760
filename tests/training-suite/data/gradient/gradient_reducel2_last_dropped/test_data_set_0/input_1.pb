B
upstream_yJ`j?Ö‡t¿P“¦?j–¿8Ï,¿)œ½?