B
upstream_yJF>¾?Ø(¦¿Q¹¨?