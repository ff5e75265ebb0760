B
upstream_yJHKÿ¬?g?F)º¿ñçz¿ôKZ¿??DAƒ¿<7?=ˆ“¿E£?Ó¡¿IUa¿H'˜?à¨f¿Åğ¿·„‘?y¯¿J³<¿