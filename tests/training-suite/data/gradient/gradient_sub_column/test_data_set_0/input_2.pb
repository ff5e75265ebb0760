B
upstream_yJ%f³¿€‘†?*Á¨¿{y²¿m´™?Ü×¿¿