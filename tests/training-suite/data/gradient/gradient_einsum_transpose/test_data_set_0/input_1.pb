B
upstream_yJLGi?÷=?GÕ^?Ô>¬¿B¢U¿~Ž?