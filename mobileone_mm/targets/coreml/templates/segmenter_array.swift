// array 
