B
upstream_yJìk*?y‰V¿à¹?g²¿D¿œ5z¿