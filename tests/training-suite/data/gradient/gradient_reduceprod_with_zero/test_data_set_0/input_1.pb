B
upstream_yJâº?WŠ±¿