B
upstream_yJMV¿“4¤¿Êw$¿}½?UéT?xC?