B
upstream_yJ±ö”¿8ï‚?:Ë-¿