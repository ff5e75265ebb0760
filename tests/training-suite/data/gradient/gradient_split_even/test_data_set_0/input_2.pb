B
upstream_bJh½?;'±¿·{{¿¢Ÿ¿