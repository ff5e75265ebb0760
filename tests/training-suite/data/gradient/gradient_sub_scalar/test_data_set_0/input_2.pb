B
upstream_yJøäª?„d¿f{v¿l7ž?>¦ ?Í“t¿