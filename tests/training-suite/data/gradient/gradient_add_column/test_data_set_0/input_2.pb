B
upstream_yJhR²¿`$¹¿Pf¿È¦¿Qb«¿GC‡¿