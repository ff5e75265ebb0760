B
upstream_zJN`‡¿Šë½?®?Î·¹?*ò¦?aO¿