B
upstream_yJO¬?æ¹Œ¿_ˆd¿U½?9±‰¿„L¬?