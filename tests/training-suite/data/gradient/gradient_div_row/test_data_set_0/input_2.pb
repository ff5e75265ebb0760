B
upstream_yJ™Ö†¿F1[¿ÆøV¿İxª?Qš¥¿oŞ.¿