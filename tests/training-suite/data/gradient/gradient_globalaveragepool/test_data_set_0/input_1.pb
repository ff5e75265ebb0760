B
upstream_yJK6c¿מצ_¿הר¿mb¯?E¾²¿2ר?