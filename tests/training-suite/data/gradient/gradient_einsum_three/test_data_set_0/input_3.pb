B
upstream_yJvl¿ßM?Ï[¡¿Îü–?