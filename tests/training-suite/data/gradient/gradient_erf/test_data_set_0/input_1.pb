B
upstream_yJ D:i¿µ=4?¡ï«¿¥i?x«Ÿ¿“hc¿Å-G?T?