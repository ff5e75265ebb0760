B
upstream_yJ¬ÊV¿%š?M’:¿”u±¿t¶¿	gq¿