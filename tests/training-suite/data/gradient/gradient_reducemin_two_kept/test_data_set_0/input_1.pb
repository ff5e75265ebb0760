B
upstream_yJ;NZ¿Mš¿¹Ž˜?