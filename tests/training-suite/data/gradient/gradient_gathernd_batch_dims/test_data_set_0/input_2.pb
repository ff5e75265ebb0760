B
upstream_yJTΛ=ΏράΏΤ³ΏQ°Ώ