// image 
